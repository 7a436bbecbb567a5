"""Every public function and method in the argument forms that PyTorch takes, beside PyTorch's.

python -m tests.forms                 all forms, eagerly; needs PyTorch
python -m tests.forms --compiled      through gc.jit.compile as well
python -m tests.forms --layers        layers, in training and evaluation, with gradients
python -m tests.forms --record        write what PyTorch gives to expected.json
python -m tests.forms --programs 500  random programs, see `programs`
"""
