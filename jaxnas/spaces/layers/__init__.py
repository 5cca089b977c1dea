"""Operations on the edges of a cell: pure functions with the arrays that they need. A new one is one file and one
line in `OPERATIONS`.
"""

from jaxnas.spaces.layers import fused, nasbench

OPERATIONS = {
    operation.name: operation
    for operation in (
        nasbench.NONE,
        nasbench.SKIP_CONNECT,
        nasbench.NOR_CONV_1X1,
        nasbench.NOR_CONV_3X3,
        nasbench.AVG_POOL_3X3,
        *fused.FUSED,
    )
}
