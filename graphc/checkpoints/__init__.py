"""PyTorch's files (`.pt`, `.pth`): read by a machine that runs nothing, and written."""
