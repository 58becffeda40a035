"""What perdure costs, measured: `make bench`. Each part is a program that prints its figures."""
