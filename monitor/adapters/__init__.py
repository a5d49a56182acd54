"""One module or package per outside system; `registry` lists all of them."""
