"""Pages that one file holds: the report of a run, a comparison, an audit."""
