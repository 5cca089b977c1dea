"""The precision of matrix products in a training: float32, or bfloat16 if the recipe names it.

In bfloat16 the two factors of each matrix product and of each convolution, also in the gradient, are rounded to it: 8
binary places with the range of float32 (Kalamkar et al., "A Study of BFLOAT16 for Deep Learning Training", 2019). Their
products are summed in float32. Parameters, gradients, statistics, losses and counts are unchanged.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, primitives

from jaxnas.training.config import FLOAT32

_EXPONENT_BITS, _MANTISSA_BITS = 8, 7
_PRODUCTS = (primitives.dot_general_p, primitives.conv_general_dilated_p)

_WITH_RULES = (primitives.custom_jvp_call_p, primitives.custom_vjp_call_p)
"""Functions with custom derivatives, which have already been taken."""


def with_products_in(precision: str, function: Callable) -> Callable:
    """Returns a function of pytrees of arrays that multiplies matrices in a precision; in float32 the function itself.

    The program of the function and all that it calls are rewritten, so networks need no changes. Derivatives must be
    taken inside the function.
    """
    if precision == FLOAT32:
        return function

    def rounded(*arguments: Any) -> Any:
        program, kinds = jax.make_jaxpr(function, return_shape=True)(*arguments)
        found = _evaluated(program.jaxpr, program.consts, jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(kinds), found)

    return rounded


def _evaluated(program: Jaxpr, constants: Any, arguments: Any) -> list[Any]:
    """Returns the results of a program with rounded factors."""
    values = dict(zip((*program.constvars, *program.invars), (*constants, *arguments), strict=True))
    for step in program.eqns:
        inputs = [each.val if isinstance(each, Literal) else values[each] for each in step.invars]
        if step.primitive in _PRODUCTS and all(each.dtype == jnp.float32 for each in inputs):
            outputs = step.primitive.bind(*map(_rounded, inputs), **_of_rounded(step.params))
        elif step.primitive in _WITH_RULES:
            own = step.params["call_jaxpr"]
            outputs = _evaluated(own.jaxpr, own.consts, inputs)
        else:
            outputs = step.primitive.bind(*inputs, **{name: _rewritten(value) for name, value in step.params.items()})
        many = step.primitive.multiple_results
        values.update(zip(step.outvars, outputs if many else [outputs], strict=True))
    return [each.val if isinstance(each, Literal) else values[each] for each in program.outvars]


def _rounded(factor: jax.Array) -> jax.Array:
    """Returns float32 numbers rounded to bfloat16; they have that type except on CPU.

    The compiler may remove a conversion and its inverse, but not an explicit rounding. On CPU rounded factors stay
    float32, with the same products.
    """
    numbers = jax.lax.reduce_precision(factor, _EXPONENT_BITS, _MANTISSA_BITS)
    return numbers if jax.default_backend() == "cpu" else numbers.astype(jnp.bfloat16)


def _of_rounded(parameters: dict[str, Any]) -> dict[str, Any]:
    """Returns the parameters of a product of rounded factors, which is summed in float32."""
    precision = parameters["precision"] if jax.default_backend() == "cpu" else None
    return parameters | {"precision": precision, "preferred_element_type": jnp.dtype(jnp.float32)}


def _rewritten(value: Any) -> Any:
    """Returns a parameter of a step of a program, whose programs have rounded factors."""
    if isinstance(value, ClosedJaxpr):
        return _of_program(value) if _multiplies(value.jaxpr) else value
    if isinstance(value, Jaxpr):
        return _of_program(ClosedJaxpr(value, ())).jaxpr if _multiplies(value) and not value.constvars else value
    return tuple(map(_rewritten, value)) if type(value) is tuple else value


def _of_program(program: ClosedJaxpr) -> ClosedJaxpr:
    kinds = [jax.ShapeDtypeStruct(each.shape, each.dtype, weak_type=each.weak_type) for each in program.in_avals]
    return jax.make_jaxpr(lambda *arguments: _evaluated(program.jaxpr, program.consts, arguments))(*kinds)


def _multiplies(program: Jaxpr) -> bool:
    """Returns whether a program, or one that it calls, multiplies matrices."""
    for step in program.eqns:
        if step.primitive in _PRODUCTS or any(map(_multiplies, _programs_of(tuple(step.params.values())))):
            return True
    return False


def _programs_of(value: Any) -> list[Jaxpr]:
    if isinstance(value, tuple):
        return [program for each in value for program in _programs_of(each)]
    if isinstance(value, ClosedJaxpr):
        return [value.jaxpr]
    return [value] if isinstance(value, Jaxpr) else []
