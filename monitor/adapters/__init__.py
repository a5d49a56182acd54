"""One file per system outside; `registry` names them all."""
