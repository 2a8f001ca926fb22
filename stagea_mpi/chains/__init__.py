"""Which chains of a model are heavy, light and antigen: as stated, from a table, or found."""
