"""What is written down of what is put together at import: made from the live objects.

`graphc/functions.pyi` has the functions of `gc`, once for eager tensors and once for symbolic
ones; `graphc/eager/engine/attached.pyi` and `graphc/core/methods.pyi` the methods of `Tensor`
and of `Node`; `graphc/__init__.py` the functions' names; `graphc/nn/__init__.py` and
`graphc/nn/functional/__init__.py` those of layers and their functions. `test_stubs.py` compares,
and writes them anew where `GRAPHC_UPDATE_GOLDEN=1` is set: so the name of a new op or layer need
not be written there by hand.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from graphc.core.methods import Methods
from graphc.core.operators import FUNCTIONS, Operators
from graphc.eager.engine import tensor as tensors
from graphc.eager.engine.dispatch import ALIASES, MAKERS
from graphc.eager.engine.out import TAKES_OUT, signature_with_out
from graphc.eager.engine.registry import EAGER
from graphc.eager.engine.tensor import Tensor
from graphc.eager.facade import FACE

PACKAGE = Path(inspect.getsourcefile(tensors) or "").parent.parent.parent
# `gc.diff` is that of `graphc.debug`, of programs too.
PUBLIC = sorted(set(FACE) - {"getitem", "diff"})
# What takes tensors, by the parameters' names; everything else keeps its annotation.
OPERANDS = {
    "input", "other", "x", "y", "a", "b", "tensor1", "tensor2", "mat2", "vec2", "weight",
    "bias", "target", "condition", "src", "source", "tensor", "mask", "indices", "index",
    "self", "sorted_sequence", "exponent", "probability", "logits", "max", "min",
    "test_elements", "vec", "weights", "boundaries",
}  # fmt: skip
# How those are annotated: what a function takes besides is said by the stub that it is written to.
LIKE = {"Any", "AnyTensor", "Index", "Operand", "Operators", "TensorLike", "Values"}
# What gives something else than one tensor.
OTHERWISE = {
    "aminmax": "Any", "broadcast_shapes": "Size", "cond": "Any", "frexp": "tuple[Tensor, Tensor]",
    "kthvalue": "Any", "map": "Any", "max": "Any", "median": "Any", "meshgrid": "Any",
    "lu_unpack": "Any", "qr": "Any", "slogdet": "Any", "svd": "Any", "triangular_solve": "Any",
    "min": "Any", "mode": "Any", "print": "Any", "modf": "tuple[Tensor, Tensor]", "nonzero": "Any",
    "scan": "Any", "sort": "Any", "std_mean": "Any", "topk": "Any", "unique": "Any",
    "var_mean": "Any", "where": "Any", "while_loop": "Any", "divmod": "tuple[Tensor, Tensor]",
    "argwhere": "Tensor",
    "cummax": "Any", "cummin": "Any", "nanmedian": "Any", "histogram": "Any", "hsplit": "Any",
    "vsplit": "Any", "dsplit": "Any", "atleast_1d": "Any", "atleast_2d": "Any",
    "atleast_3d": "Any", "broadcast_tensors": "Any", "split_with_sizes": "Any",
    "unsafe_split_with_sizes": "Any", "promote_types": "DType", "can_cast": "bool",
    # methods
    "__array_namespace__": "Any", "__array_ufunc__": "Any", "__complex__": "complex",
    "__dlpack__": "Any", "__dlpack_device__": "Any", "__float__": "float", "__int__": "int",
    "__reduce_ex__": "Any", "device": "Device",
    "item": "bool | int | float", "tolist": "Any", "numpy": "np.ndarray", "backward": "None",
    "numel": "int", "nelement": "int", "register_hook": "Any", "size": "Any",
    "stride": "Any", "is_set_to": "bool",
}  # fmt: skip
# Makers give symbolic tensors where sizes are symbolic: what their sizes are for eager ones.
SIZES = {
    "zeros": {"size": "int | Sequence[int]"}, "ones": {"size": "int | Sequence[int]"},
    "full": {"size": "int | Sequence[int]"}, "eye": {"n": "int", "m": "int | None"},
    "arange": {"start": "float", "end": "float | None", "step": "float"},
}  # fmt: skip

TYPES = (
    "from graphc.core.dims import Dim",
    "from graphc.core.typing import Axes, DTypeLike, Index, Number, Operand, ShapeLike, Values",
)
HEADER = '''"""{doc}

Made by `tests/stubs.py` from the live objects; `tests/test_stubs.py` compares.
"""

{imports}

'''


def _annotation(of: Any, default: str = "Any") -> str:
    if of is inspect.Parameter.empty:
        return default
    return of if isinstance(of, str) else getattr(of, "__name__", str(of))


def _parameter(parameter: inspect.Parameter, operand: str) -> str:
    kind = {2: "*", 4: "**"}.get(int(parameter.kind), "")
    # A size is one of `core.dims` there; what the stubs call `Size` are an eager tensor's sizes.
    said = re.sub(r"\bSize\b", "int | Dim", _annotation(parameter.annotation))
    if said.removesuffix(" | None") in LIKE and parameter.name in OPERANDS and not kind:
        said = operand
        if parameter.default is None:
            said += " | None"
    default = "" if parameter.default is inspect.Parameter.empty else " = ..."
    return f"{kind}{parameter.name}: {said}{default}"


def _parameters(signature: inspect.Signature, operand: str, own: str = "") -> str:
    """The parameters as source; with `own`, the first is it, without an annotation."""
    given = list(signature.parameters.values())
    parts = []
    starred = False
    for place, parameter in enumerate(given):
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not starred:
            parts.append("*")
            starred = True
        starred |= parameter.kind is inspect.Parameter.VAR_POSITIONAL
        parts.append(own if own and not place else _parameter(parameter, operand))
    return ", ".join(parts)


def _result(name: str, signature: inspect.Signature, one: str) -> str:
    said = _annotation(signature.return_annotation)
    if said == "Any":
        said = OTHERWISE.get(name, one)
    return said if one == "Tensor" else said.replace("Tensor", one)


def _pytorchs(signature: inspect.Signature) -> inspect.Signature:
    """A signature in PyTorch's names of arguments."""
    other = {own: alias for alias, own in ALIASES.items() if alias != "dims"}
    given = signature.parameters
    parameters = [
        p if other.get(p.name) in given else p.replace(name=other.get(p.name, p.name))
        for p in given.values()
    ]
    return signature.replace(parameters=parameters)


def forms(name: str) -> list[str]:
    """The declarations of a public function, without `def` and its name."""
    eager = EAGER.get(name) or (None if name in FUNCTIONS else FACE[name])
    found = []
    if eager is not None:
        takes_out = name in TAKES_OUT
        signature = signature_with_out(eager) if takes_out else inspect.signature(eager)
        variants = [signature]
        if inspect.unwrap(eager) is not eager:  # takes both kinds of names
            variants.append(_pytorchs(signature))
        for each in variants:
            head = f"({_parameters(each, 'TensorLike')}) -> {_result(name, each, 'Tensor')}"
            found += [] if head in found else [head]
        if name not in MAKERS:  # of symbolic tensors too, in PyTorch's words
            own = inspect.signature(eager)
            own = own if inspect.unwrap(eager) is eager else _pytorchs(own)
            takes = _parameters(own, "Any")
            if takes != _parameters(own, "TensorLike"):
                found.append(f"({takes}) -> {_result(name, own, 'Node')}")
    if eager is not None and name in MAKERS:
        return [*_sized(found[0], SIZES[name]), *found[1:]] if name in SIZES else found
    symbolic = FUNCTIONS.get(name)
    if symbolic is not None:
        signature = inspect.signature(symbolic)
        takes = f"({_parameters(signature, 'Any')}) -> "
        head = f"{takes}{_result(name, signature, 'Node')}"
        if head not in found and any(other.startswith(takes) for other in found):
            # No declaration tells what it is given: it gives either.
            found = [f"{takes}Any" if other.startswith(takes) else other for other in found]
        found += [] if any(other.startswith(takes) for other in found) else [head]
    return found


def package() -> str:
    """The text of `graphc/__init__.py`: its imports of functions and its `__all__`."""
    text = (PACKAGE / "__init__.py").read_text()
    import_, all_ = "from graphc.functions import (\n", "__all__ = [\n"
    listed = set(re.findall(r'"(\w+)"', text.partition(all_)[2])) | set(PUBLIC)
    text = _filled(text, import_, PUBLIC, ")")
    return _filled(text, all_, [f'"{name}"' for name in sorted(listed)], "]")


def _filled(text: str, start: str, names: list[str], end: str) -> str:
    """A text with names in the brackets that open there."""
    before, _, rest = text.partition(start)
    wrapped = textwrap.fill(
        ", ".join(names) + ",", 100, initial_indent="    ", subsequent_indent="    "
    )
    return f"{before}{start}{wrapped}\n{end}{rest.partition(chr(10) + end)[2]}"


def layers() -> str:
    """The text of `graphc/nn/__init__.py`."""
    return _gathered("nn", "nn.layers")


def layer_functions() -> str:
    """The text of `graphc/nn/functional/__init__.py`."""
    return _gathered("nn.functional", "nn.functional")


def _gathered(package: str, folder: str) -> str:
    """The text of a package: it exports what the files of a folder have in their `__all__`."""
    text = PACKAGE.joinpath(*package.split("."), "__init__.py").read_text()
    listed = set(re.findall(r'"(\w+)"', text.partition("__all__ = [\n")[2]))
    imports = ""
    for path in sorted(PACKAGE.joinpath(*folder.split(".")).glob("[a-z]*.py")):
        names = getattr(import_module(f"graphc.{folder}.{path.stem}"), "__all__", ())
        names = sorted(names, key=lambda name: (not name.isupper(), name.lower()))
        listed |= set(names)
        if names:
            start = f"from graphc.{folder}.{path.stem} import (\n"
            imports += _filled(f"{start}\n)  # fmt: skip\n", start, names, ")")
    said = re.compile(rf"(from graphc\.{re.escape(folder)}\.\w+ import \([^)]*\).*\n)+")
    text = said.sub(lambda _: imports, text, count=1)
    return _filled(text, "__all__ = [\n", [f'"{name}"' for name in sorted(listed)], "]")


def _sized(head: str, sizes: dict[str, str]) -> list[str]:
    """The declarations of a maker: with sizes that are numbers, and with any."""
    eager = head
    for name, said in sizes.items():
        eager = re.sub(rf"\b{name}: [^=,)]+?(?= =|,|\))", f"{name}: {said}", eager)
    return [eager, head.removesuffix("Tensor") + "Node"]


def functions() -> str:
    """The text of `graphc/functions.pyi`."""
    lines = []
    for name in PUBLIC:
        heads = forms(name)
        for head in heads:
            lines += ["@overload"] if len(heads) > 1 else []
            lines.append(f"def {name}{head}: ...")
    imports = "\n".join(
        [
            "from collections.abc import Callable, Sequence",
            "from typing import Any, overload",
            "",
            "import numpy as np",
            "",
            "from graphc.core.dtypes import DType",
            *TYPES,
            "from graphc.eager.engine.device import DeviceLike",
            "from graphc.eager.functions.random import Generator",
            "from graphc.eager.engine.size import Size",
            "from graphc.eager.engine.tensor import AnyTensor, Tensor, TensorLike",
            "from graphc.core.ir import Node",
            "from graphc.ops.source import Parameter",
        ]
    )
    doc = "The functions of `gc`: of eager tensors, and of symbolic ones."
    return HEADER.format(doc=doc, imports=imports) + "\n".join(lines) + "\n"


def attached() -> list[str]:
    """The names that `facade` gives to `Tensor`, in order."""
    tree = ast.parse(Path(inspect.getsourcefile(tensors) or "").read_text())
    (body,) = [n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Tensor"]
    written = {n.name for n in body if isinstance(n, ast.FunctionDef)}
    for node in body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        written |= {t.id for t in targets if isinstance(t, ast.Name)}
    own = {"__module__", "__dict__", "__weakref__", "__doc__", "__annotations__"}
    own |= {"__static_attributes__", "__firstlineno__"}
    return sorted(set(vars(Tensor)) - written - own)


def _method(name: str, thing: Any, of: str) -> Iterator[str]:
    if isinstance(thing, property):
        said = _annotation(inspect.signature(thing.fget).return_annotation)  # type: ignore[arg-type]
        yield "@property"
        yield f"def {name}(self) -> {said.replace('Tensor', of)}: ..."
        return
    if not isinstance(thing, Callable):  # type: ignore[arg-type]
        yield f"{name}: Any"
        return
    signature = inspect.signature(thing)
    one = _result(name, signature, of)
    if name.endswith("_") and not name.startswith("__"):
        one = "Tensor"
    of_any = of == "Node" or name in ("__getitem__", "__setitem__")
    operand = "Any" if of_any else "TensorLike"
    yield f"def {name}({_parameters(signature, operand, 'self')}) -> {one}: ..."


def _of_builtins(line: str, names: set[str]) -> str:
    """A line in a class where methods have the names of types."""
    head, arguments, result = re.split(r"(?<=\w)\((?=self)|\) -> ", line)
    words = rf"({'|'.join(sorted(names & set(vars(builtins))))})\b"
    arguments = re.sub(rf"(?<=[ \[]){words}(?!:)", r"builtins.\1", arguments)
    result = re.sub(rf"(?<!\w){words}", r"builtins.\1", result)
    return f"{head}({arguments}) -> {result}"


def _node_method(name: str) -> Iterator[str]:
    """The declarations of a symbolic tensor's method: in NumPy's words too where it has them."""
    own = vars(Methods)[name]
    symbolic = FUNCTIONS.get(name)
    variants = [own]
    if hasattr(Operators, name) and name in EAGER:
        heads = [_parameters(inspect.signature(f), "Any", "self") for f in (own, EAGER[name])]
        variants += [EAGER[name]] if heads[0].split(", ")[1:2] != heads[1].split(", ")[1:2] else []
    for thing in variants:
        for line in _method(name, thing, "Node"):
            line = line.replace("Self", "Node").replace("AnyTensor", "Any").replace("Tensor", "Any")
            if symbolic is not None and line.endswith("-> bool: ..."):
                line = line.replace("-> bool: ...", "-> Node: ...")
            yield from (["@overload", line] if len(variants) > 1 else [line])


def node_methods() -> str:
    """The text of `graphc/core/methods.pyi`."""
    names = {name for name in vars(Methods) if not name.startswith("_")}
    lines = [f"    {line}" for name in sorted(names) for line in _node_method(name)]
    lines = [_of_builtins(line, names) if "(" in line else line for line in lines]
    imports = "\n".join(
        [
            '# mypy: disable-error-code="override"',
            "import builtins",
            "from collections.abc import Callable, Sequence",
            "from typing import Any, overload",
            "",
            "from graphc.core.dtypes import DType",
            "from graphc.core.ir import Node",
            "from graphc.core.operators import Operators",
            *TYPES,
            "from graphc.eager.engine.device import device as Device",
            "from graphc.eager.functions.random import Generator",
        ]
    )
    head = HEADER.format(doc="The methods of symbolic tensors.", imports=imports)
    return head + "class Methods(Operators):\n" + "\n".join(lines) + "\n"


def methods() -> str:
    """The text of `graphc/eager/engine/attached.pyi`."""
    lines: list[str] = []
    for name in attached():
        lines += [f"    {line}" for line in _method(name, vars(Tensor)[name], "Tensor")]
    names = {name for name in dir(Tensor) if not name.startswith("_")}
    lines = [_of_builtins(line, names) if "(" in line else line for line in lines]
    imports = "\n".join(
        [
            '# mypy: disable-error-code="override"',
            "# PyTorch's names and orders of arguments stand where symbolic tensors have NumPy's.",
            "import builtins",
            "from collections.abc import Callable, Iterator, Sequence",
            "from typing import Any",
            "",
            "import numpy as np",
            "",
            "from graphc.eager.engine.tape import Handle",
            "from graphc.core.dtypes import DType",
            *TYPES,
            "from graphc.eager.engine.device import DeviceLike",
            "from graphc.eager.engine.device import device as Device",
            "from graphc.eager.functions.random import Generator",
            "from graphc.eager.engine.size import Size",
            "from graphc.eager.engine.tensor import AnyTensor, Tensor, TensorLike",
            "from graphc.core.operators import Operators",
        ]
    )
    doc = "The methods of `Tensor`."
    head = HEADER.format(doc=doc, imports=imports)
    return head + "class Attached(Operators):\n" + "\n".join(lines) + "\n"
