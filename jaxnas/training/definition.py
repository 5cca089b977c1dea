"""Definitions of user-defined computations: the code of functions, and the values they use."""

import dataclasses
import dis
import functools
import hashlib
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_CONSTANTS = (int, float, complex, str, bytes, type(None), type(...), range, np.generic, np.dtype)
_CHANGING_METHODS = {"append", "extend", "insert", "pop", "popitem", "remove", "clear", "add", "discard", "update"}
_CHANGING_STEPS = {"STORE_SUBSCR", "STORE_ATTR", "DELETE_SUBSCR", "DELETE_ATTR", "STORE_GLOBAL", "STORE_DEREF"}
_PACKAGES = {"site-packages", "dist-packages"}


class Definition(NamedTuple):
    """The definition of a computation.

    Attributes:
        code: SHA-256 of the parts found; empty if none of them is user-defined.
        unknown: other objects that it uses; `code` does not reflect changes to them.
    """

    code: str
    unknown: tuple[str, ...]


def definition_of(value: Any) -> Definition:
    """Returns the definition of a function, or of a value that holds functions: a space, a kind of network, a callable.

    A user-defined function is defined by its compiled code, defaults, and outside values: functions, constants,
    arrays, tuples, lists, dicts, dataclasses, objects of user-defined classes. Lists, dicts and objects do not count
    if the function itself changes such values, for example to count its calls. Compiled code differs between minor
    versions of Python. Functions and classes of jaxnas and of installed packages count by their names.
    """
    reader = _Reader()
    reader.read("", value)
    code = reader.digest.hexdigest() if reader.of_the_user or reader.unknown else ""
    return Definition(code, tuple(sorted(reader.unknown)))


class _Reader:
    """Walks through a value, each object in it once."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.unknown: set[str] = set()
        self.of_the_user = False
        self._seen: dict[int, tuple[int, Any]] = {}  # keeps the objects alive, so their ids stay unique

    def read(self, name: str, value: Any, changing: bool = False) -> None:
        """Hashes a value. `changing`: its holder changes values, so lists and objects do not count."""
        if isinstance(value, _CONSTANTS):
            self._note(type(value).__name__, value)
        elif id(value) in self._seen:
            self._note("seen", self._seen[id(value)][0])
        else:
            self._seen[id(value)] = len(self._seen), value
            self._read_new(name, value, changing)

    def _read_new(self, name: str, value: Any, changing: bool) -> None:
        if isinstance(value, types.ModuleType):
            self._note("module", value.__name__)
        elif isinstance(value, functools.partial):
            self.of_the_user |= not str(getattr(value.func, "__module__", "")).startswith("jaxnas.")
            self._read_parts("partial", {"": value.func, "arguments": value.args, "named": value.keywords}, changing)
        elif isinstance(value, types.MethodType):
            self._read_parts("method", {"": value.__func__, "self": value.__self__}, _changes(value.__func__))
        elif isinstance(value, types.FunctionType):
            self._read_function(value)
        elif isinstance(value, type):
            methods = (
                {} if _is_of_a_package(value) else {key: each for key, each in vars(value).items() if callable(each)}
            )
            self._read_parts(f"class {value.__module__}.{value.__qualname__}", methods, False)
        elif hasattr(value, "__array__") and hasattr(value, "dtype"):
            array = np.asarray(value)
            self._note("array", array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).hexdigest())
        elif isinstance(value, tuple):
            self._read_parts("tuple", dict(enumerate(value)), changing)
        elif isinstance(value, list | set | frozenset | Mapping) and not changing:
            self._read_parts(type(value).__name__, _parts_of(value), changing)
        elif dataclasses.is_dataclass(value):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
            self._read_parts("fields", {"": type(value), **fields}, changing)
        elif hasattr(value, "__wrapped__"):  # of jax.jit and functools.cache
            self._read_parts(type(value).__name__, {name: value.__wrapped__}, changing)
        elif callable(value) and _is_of_a_package(value):
            self._note("named", type(value).__name__, getattr(value, "__module__", ""), getattr(value, "__name__", ""))
        elif not _is_of_a_package(type(value)) and not (changing or _methods_change(type(value))):
            self._read_parts("object", {"": type(value), **getattr(value, "__dict__", {})}, False)
        else:
            if not _is_of_a_package(type(value)):
                self.read("", type(value))
            self.unknown.add(f"{name}, a {type(value).__name__}".removeprefix(", "))

    def _note(self, *parts: object) -> None:
        self.digest.update(repr(parts).encode(errors="backslashreplace"))

    def _read_parts(self, kind: str, parts: Mapping[Any, Any], changing: bool) -> None:
        self._note(kind, len(parts))
        for name, each in parts.items():
            self._note(name)
            self.read(str(name), each, changing)

    def _read_function(self, function: types.FunctionType) -> None:
        """Hashes a function; a function of a package by its name, defaults and closure."""
        code, of_a_package = (
            function.__code__,
            _is_in_a_package(Path(function.__code__.co_filename), function.__module__),
        )
        if of_a_package:
            self._note("function", code.co_filename.rpartition("/")[2], function.__qualname__)
        else:
            self.of_the_user = True
            self._read_code(code, function.__doc__)
        used = {"defaults": function.__defaults__, "named": function.__kwdefaults__}
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            used[name] = _held(cell)
        if not of_a_package:
            names = {step.argval for step in _steps(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
            used |= {name: function.__globals__.get(name) for name in sorted(names)}
        self._read_parts("uses", used, _changes(function))

    def _read_code(self, code: types.CodeType, doc: str | None) -> None:
        self._note(code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_argcount, code.co_flags)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._read_code(constant, None)
            elif doc is None or constant != doc:
                self._note(sorted(map(repr, constant)) if isinstance(constant, frozenset) else constant)


def _parts_of(value: Any) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    return dict(enumerate(sorted(value, key=repr) if isinstance(value, set | frozenset) else value))


def _held(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return None


def _steps(code: types.CodeType) -> Iterator[dis.Instruction]:
    """Yields the instructions of a code and of the functions in it."""
    yield from dis.get_instructions(code)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _steps(constant)


def _changes(function: Any) -> bool:
    """Returns whether a function changes objects: by a method that does, or by setting an item or an attribute."""
    code = getattr(function, "__code__", None)
    return code is not None and any(
        step.opname in _CHANGING_STEPS or (step.opname.startswith("LOAD_") and step.argval in _CHANGING_METHODS)
        for step in _steps(code)
    )


def _methods_change(kind: type) -> bool:
    return any(_changes(each) for name, each in vars(kind).items() if name not in ("__init__", "__post_init__"))


def _is_of_a_package(value: Any) -> bool:
    """Returns whether a function, class or object is of jaxnas, of Python or of an installed package, by its module."""
    name = getattr(value, "__module__", None) or type(value).__module__
    module = sys.modules.get(name)
    path = getattr(module, "__file__", None)
    return _is_in_a_package(Path(path or ""), name)


def _is_in_a_package(path: Path, module: str | None) -> bool:
    top = (module or "").partition(".")[0]
    return top == "jaxnas" or top in sys.stdlib_module_names or bool(_PACKAGES & set(path.parts))
