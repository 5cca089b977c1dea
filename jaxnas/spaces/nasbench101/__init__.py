"""NAS-Bench-101: directed graphs of up to seven vertices with operations on vertices."""
