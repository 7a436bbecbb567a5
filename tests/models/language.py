"""A two-layer LSTM language model with tied weights, its state carried over, gradients clipped."""

import graphc as torch
import graphc.nn as nn
import graphc.nn.functional as F


class RNNModel(nn.Module):
    def __init__(self, tokens, width, layers=2):
        super().__init__()
        self.drop = nn.Dropout(0.0)
        self.encoder = nn.Embedding(tokens, width)
        self.rnn = nn.LSTM(width, width, layers)
        self.decoder = nn.Linear(width, tokens)
        self.decoder.weight = self.encoder.weight
        self.width, self.layers = width, layers

    def forward(self, tokens, hidden):
        emb = self.drop(self.encoder(tokens))
        output, hidden = self.rnn(emb, hidden)
        decoded = self.decoder(self.drop(output))
        decoded = decoded.view(-1, decoded.size(2))
        return F.log_softmax(decoded, dim=1), hidden

    def init_hidden(self, count):
        weight = next(self.parameters())
        shape = (self.layers, count, self.width)
        return weight.new_zeros(*shape), weight.new_zeros(*shape)


def make(small):
    return RNNModel(11, 6) if small else RNNModel(500, 64)


def batch(random, small):
    length, count, tokens = (4, 2, 11) if small else (20, 8, 500)
    text = random.randint(0, tokens, (2 * length + 1, count))
    return text[:length], text[1 : length + 1], text[length:-1], text[length + 1 :]


def loss(model, first, then, second, after):
    hidden = model.init_hidden(first.size(1))
    output, hidden = model(first, hidden)
    total = F.nll_loss(output, then.reshape(-1))
    hidden = tuple(h.detach() for h in hidden)
    output, hidden = model(second, hidden)
    return total + F.nll_loss(output, after.reshape(-1))


def clip(model):
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=5.0)
