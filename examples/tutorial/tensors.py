"""Tensors and their dtypes: the first page of a PyTorch tutorial, its import line changed."""

import graphc as torch


def main():
    scalar = torch.tensor(7)
    vector = torch.tensor([1.0, 2.0, 3.0])
    matrix = torch.tensor([[1, 2], [3, 4]])
    print(scalar, vector, matrix, sep="\n")
    print(scalar.item(), vector.shape, matrix.ndim)

    random = torch.rand(2, 3)
    zeros, ones = torch.zeros(2, 3), torch.ones_like(random)
    steps = torch.arange(0, 10, 2)
    print(zeros, ones, steps, sep="\n")

    half = torch.tensor([1.5, 2.5], dtype=torch.float16)
    whole = half.to(torch.int64)
    print(half, half.float(), whole, sep="\n")
    print((whole / 2), (whole // 2), (whole + 0.5), sep="\n")

    x = torch.arange(12).reshape(3, 4).float()
    print(x[1], x[:, 2], x[x > 5], x.T @ x, sep="\n")
    print(x.sum(), x.mean(dim=0), x.max(dim=1).values, x.argmax())
    x[0] = 100.0
    x.mul_(2)
    print(x)
    return [vector, matrix, half, x, x.T @ x]


if __name__ == "__main__":
    main()
