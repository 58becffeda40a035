# no statement: no module to document
