"""Gradients of scalars: z = x**2 + y**3, chains, and what stops a gradient."""

import graphc as torch


def main():
    x = torch.tensor(2.0, requires_grad=True)
    y = torch.tensor(3.0, requires_grad=True)
    z = x**2 + y**3
    z.backward()
    print(z)  # 31
    print(x.grad)  # dz/dx = 2x = 4
    print(y.grad)  # dz/dy = 3y**2 = 27
    first = [x.grad.item(), y.grad.item()]

    w = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    loss = (w * w).sum()
    loss.backward()
    print(w.grad)
    with torch.no_grad():
        w -= 0.1 * w.grad
        w.grad.zero_()
    print(w)
    frozen = w.detach()
    print(frozen.requires_grad, (w * 2).grad_fn is not None)
    return [*first, *w.tolist()]


if __name__ == "__main__":
    main()
