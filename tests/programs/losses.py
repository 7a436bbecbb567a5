"""Losses, with the regularisers and the terms beside them that users add."""

from .corpus import bits, integers, normal, positive, program, spread


@program(x=normal("n d"), w=normal("d k"))
def centred_loss_with_weight_decay(m, x, w):
    return m.sum((x - m.mean(x, axis=1, keepdims=True)) ** 2) + m.sum(w * w)


@program(x=normal("n d"), w=normal("d k"), b=normal("k"), t=integers("n", below="k"))
def softmax_regression_with_penalised_bias(m, x, w, b, t):
    logits = x @ w + b
    return m.cross_entropy(logits, t) + 0.5 * m.sum(b * b) + 0.01 * m.sum(m.absolute(w))


@program(x=normal("n d"), w=normal("d k"), t=integers("n", below="k"))
def logsumexp_written_out(m, x, w, t):
    logits = x @ w
    picked = m.sum(logits * m.one_hot(t, w.shape[1], x), axis=1)
    return m.mean(m.logsumexp(logits, axis=1) - picked)


@program(noisy=normal("n m"), clean=normal("n m"))
def total_variation_denoising(m, noisy, clean):
    across = m.absolute(clean[:, 1:] - clean[:, :-1])
    down = m.absolute(clean[1:] - clean[:-1])
    return 0.5 * m.sum((noisy - clean) ** 2) + 0.1 * (m.sum(across) + m.sum(down))


@program(logits=normal("n k"), t=integers("n", below="k"), image=normal("n m"))
def softmax_loss_plus_total_variation(m, logits, t, image):
    smooth = m.mean((image[:, 1:] - image[:, :-1]) ** 2) + m.mean((image[1:] - image[:-1]) ** 2)
    return m.cross_entropy(logits, t) + smooth


@program(p=normal("n k"), q=normal("n k"))
def kl_of_two_softmaxes(m, p, q):
    log_p, log_q = m.log_softmax(p, axis=-1), m.log_softmax(q, axis=-1)
    return m.mean(m.sum(m.exp(log_p) * (log_p - log_q), axis=-1))


@program(p=normal("n k"), q=normal("n k"))
def jensen_shannon(m, p, q):
    a, b = m.softmax(p, axis=1), m.softmax(q, axis=1)
    mid = 0.5 * (a + b)
    left = m.sum(a * (m.log(a) - m.log(mid)), axis=1)
    right = m.sum(b * (m.log(b) - m.log(mid)), axis=1)
    return 0.5 * m.mean(left) + 0.5 * m.mean(right)


@program(
    x=positive("n d", 0.05, 0.95), we=normal("d 4"), be=normal("4"), wd=normal("2 d"),
    bd=normal("d"), noise=normal("n 2"),
)  # fmt: skip
def variational_autoencoder(m, x, we, be, wd, bd, noise):
    code = m.tanh(x @ we + be)
    mean, logvar = code[:, :2], code[:, 2:]
    z = mean + m.exp(0.5 * logvar) * noise
    logits = z @ wd + bd
    fit = m.sum(m.softplus(logits) - x * logits, axis=1)
    kl = -0.5 * m.sum(1 + logvar - mean**2 - m.exp(logvar), axis=1)
    return m.mean(fit + kl), m.mean(fit), m.mean(kl)


@program(a=normal("n d"), b=normal("n d"))
def info_nce(m, a, b):
    a = a / m.sqrt(m.sum(a * a, axis=1, keepdims=True))
    b = b / m.sqrt(m.sum(b * b, axis=1, keepdims=True))
    scores = (a @ m.transpose(b)) / 0.2
    same = m.sum(a * b, axis=1) / 0.2
    rows = m.mean(m.logsumexp(scores, axis=1) - same)
    columns = m.mean(m.logsumexp(scores, axis=0) - same)
    return 0.5 * (rows + columns)


@program(anchor=normal("n d"), near=normal("n d"), far=normal("n d"))
def triplet_with_margin(m, anchor, near, far):
    close = m.sqrt(m.sum((anchor - near) ** 2, axis=1) + 1e-6)
    away = m.sqrt(m.sum((anchor - far) ** 2, axis=1) + 1e-6)
    return m.mean(m.relu(close - away + 0.7)) + 1e-2 * m.mean(anchor**2 + near**2 + far**2)


@program(a=normal("n d"), b=normal("n d"), same=bits("n"))
def contrastive_pairs(m, a, b, same):
    distance = m.sum((a - b) ** 2, axis=1)
    root = m.sqrt(distance + 1e-9)
    hinge = m.relu(2.0 - root) ** 2
    return m.mean(m.where(same, distance, hinge))


@program(logits=normal("n k"), t=integers("n", below="k"))
def focal(m, logits, t):
    log_p = m.take_along_axis(m.log_softmax(logits, axis=1), m.expand_dims(t, 1), 1)[:, 0]
    return -m.mean((1 - m.exp(log_p)) ** 2 * log_p)


@program(logits=normal("n m"), mask=bits("n m"))
def dice_with_binary_cross_entropy(m, logits, mask):
    y = m.as_float(mask, logits)
    p = m.sigmoid(logits)
    both = m.sum(p * y, axis=1)
    dice = 1 - (2 * both + 1) / (m.sum(p, axis=1) + m.sum(y, axis=1) + 1)
    cross = m.maximum(logits, 0) - logits * y + m.log1p(m.exp(-m.absolute(logits)))
    return m.mean(dice) + m.mean(cross)


@program(logits=normal("n m"), mask=bits("n m"))
def tversky(m, logits, mask):
    p, y = m.sigmoid(logits), m.as_float(mask, logits)
    hit, extra, missed = m.sum(p * y), m.sum(p * (1 - y)), m.sum((1 - p) * y)
    return (1 - (hit + 1) / (hit + 0.3 * extra + 0.7 * missed + 1)) ** 0.75


@program(logits=normal("n k"), t=integers("n", below="k"))
def label_smoothing(m, logits, t):
    log_p = m.log_softmax(logits, axis=1)
    picked = m.take_along_axis(log_p, m.expand_dims(t, 1), 1)
    return -0.9 * m.mean(picked) - 0.1 * m.mean(m.mean(log_p, axis=1))


@program(student=normal("n k"), teacher=normal("n k"), t=integers("n", below="k"))
def distillation(m, student, teacher, t):
    soft = m.softmax(teacher / 3.0, axis=1)
    told = -m.mean(m.sum(soft * m.log_softmax(student / 3.0, axis=1), axis=1)) * 9.0
    return 0.7 * told + 0.3 * m.cross_entropy(student, t)


@program(x=normal("n d"), w=normal("d"), y=normal("n"))
def huber_with_elastic_net(m, x, w, y):
    error = x @ w - y
    size = m.absolute(error)
    loss = m.where(size < 1.0, 0.5 * error**2, size - 0.5)
    return m.mean(loss) + 0.1 * m.sum(m.absolute(w)) + 0.05 * m.sum(w**2)


@program(x=normal("n d"), w=normal("d k"), y=normal("n k"))
def group_lasso(m, x, w, y):
    rows = m.sqrt(m.sum(w * w, axis=1) + 1e-8)
    columns = m.sqrt(m.sum(w * w, axis=0) + 1e-8)
    return m.mean((x @ w - y) ** 2) + 0.1 * m.sum(rows) + 0.1 * m.sum(columns)


@program(x=normal("n d"), w=normal("d k"), t=integers("n", below="k"))
def multiclass_hinge(m, x, w, t):
    scores = x @ w
    right = m.take_along_axis(scores, m.expand_dims(t, 1), 1)
    margins = m.relu(scores - right + 1) * (1 - m.one_hot(t, w.shape[1], x))
    return m.mean(m.sum(margins, axis=1)) + 0.5e-2 * m.sum(w * w)


@program(logits=normal("n k"), a=integers("n", below="k"), reward=normal("n"))
def policy_gradient_with_entropy_bonus(m, logits, a, reward):
    log_p = m.log_softmax(logits, axis=-1)
    taken = m.take_along_axis(log_p, m.expand_dims(a, 1), 1)[:, 0]
    advantage = (reward - m.mean(reward)) / (m.std(reward) + 1e-6)
    entropy = -m.sum(m.exp(log_p) * log_p, axis=-1)
    return -m.mean(taken * m.detach(advantage)) - 0.01 * m.mean(entropy)


@program(
    logits=normal("n k"), a=integers("n", below="k"), old=normal("n", 0.5, -1.0),
    advantage=normal("n"), value=normal("n"), returns=normal("n"),
)  # fmt: skip
def ppo_clipped(m, logits, a, old, advantage, value, returns):
    log_p = m.log_softmax(logits, axis=1)
    taken = m.take_along_axis(log_p, m.expand_dims(a, 1), 1)[:, 0]
    ratio = m.exp(taken - old)
    a_hat = (advantage - m.mean(advantage)) / (m.std(advantage) + 1e-8)
    surrogate = m.minimum(ratio * a_hat, m.clip(ratio, 0.8, 1.2) * a_hat)
    entropy = -m.sum(m.exp(log_p) * log_p, axis=1)
    critic = m.mean((value - returns) ** 2)
    return -m.mean(surrogate) + 0.5 * critic - 0.01 * m.mean(entropy)


@program(
    s=normal("n d"), w=normal("d k"), a=integers("n", below="k"), r=normal("n"),
    after=normal("n d"), target=normal("d k"), done=bits("n", 0.2),
)  # fmt: skip
def double_dqn(m, s, w, a, r, after, target, done):
    q = m.take_along_axis(m.tanh(s @ w), m.expand_dims(a, 1), 1)[:, 0]
    best = m.argmax(after @ w, axis=1)
    later = m.take_along_axis(m.tanh(after @ target), m.expand_dims(best, 1), 1)[:, 0]
    wanted = r + 0.9 * m.where(done, 0 * later, later)
    return m.mean((q - m.detach(wanted)) ** 2)


@program(
    real=normal("n d"), fake=normal("n d"), mix=positive("n 1"), w=normal("d k"), v=normal("k")
)
def wasserstein_gradient_penalty(m, real, fake, mix, w, v):
    def critic(x):
        return m.tanh(x @ w) @ v

    between = mix * real + (1 - mix) * fake
    slope = m.grad(lambda x: m.sum(critic(x)), between)
    length = m.sqrt(m.sum(slope * slope, axis=1) + 1e-9)
    return m.mean(critic(fake)) - m.mean(critic(real)) + 10 * m.mean((length - 1) ** 2)


@program(symbolic=None, a=normal("n d"), b=normal("n d"))
def barlow_twins(m, a, b):
    a = (a - m.mean(a, axis=0)) / (m.std(a, axis=0) + 1e-5)
    b = (b - m.mean(b, axis=0)) / (m.std(b, axis=0) + 1e-5)
    cross = (m.transpose(a) @ b) / a.shape[0]
    one = m.eye(a.shape[1], a)
    return m.sum((cross - one) ** 2 * (one + 0.005 * (1 - one)))


@program(symbolic=None, a=normal("n d"), b=normal("n d"))
def vicreg(m, a, b):
    loss = 25 * m.mean((a - b) ** 2)
    for z in (a, b):
        z = z - m.mean(z, axis=0)
        deviation = m.sqrt(m.var(z, axis=0) + 1e-4)
        cov = (m.transpose(z) @ z) / (z.shape[0] - 1)
        off = cov * (1 - m.eye(z.shape[1], z))
        loss = loss + 25 * m.mean(m.relu(1 - deviation)) + m.sum(off**2) / z.shape[1]
    return loss


@program(x=normal("n d"), centres=normal("k d"), t=integers("n", below="k"), w=normal("d k"))
def centre_loss(m, x, centres, t, w):
    away = x - m.take(centres, t, axis=0)
    return m.cross_entropy(x @ w, t) + 0.1 * m.mean(m.sum(away * away, axis=1))


@program(pred=normal("n"), y=normal("n"))
def log_cosh_and_quantiles(m, pred, y):
    e = y - pred
    smooth = e + m.softplus(-2 * e) - 0.6931471805599453
    pinball = [m.mean(m.maximum(q * e, (q - 1) * e)) for q in (0.1, 0.5, 0.9)]
    return m.mean(smooth), pinball[0] + pinball[1] + pinball[2]


@program(scores=spread("n k"), relevance=positive("n k"))
def list_wise_ranking(m, scores, relevance):
    wanted = m.softmax(relevance, axis=1)
    listnet = -m.mean(m.sum(wanted * m.log_softmax(scores, axis=1), axis=1))
    pairs = m.expand_dims(scores, 2) - m.expand_dims(scores, 1)
    order = m.expand_dims(relevance, 2) > m.expand_dims(relevance, 1)
    ranknet = m.mean(m.where(order, m.softplus(-pairs), 0 * pairs))
    return listnet + ranknet


@program(x=normal("n d"), w=normal("d m"), v=normal("m d"))
def sparse_autoencoder(m, x, w, v):
    code = m.sigmoid(x @ w)
    mean = m.mean(code, axis=0)
    sparse = 0.05 * m.log(0.05 / mean) + 0.95 * m.log(0.95 / (1 - mean))
    decay = m.sum(w * w) + m.sum(v * v)
    return m.mean(m.sum((code @ v - x) ** 2, axis=1)) + 0.3 * m.sum(sparse) + 1e-3 * decay


@program(x=normal("n d"), w=normal("d k"), v=normal("k"))
def contractive_autoencoder(m, x, w, v):
    hidden = m.sigmoid(x @ w)
    jacobian = m.sum((hidden * (1 - hidden)) ** 2 * m.sum(w * w, axis=0), axis=1)
    return m.mean((hidden @ m.transpose(w) - x) ** 2) + 0.1 * m.mean(jacobian) + m.sum(v * v)
