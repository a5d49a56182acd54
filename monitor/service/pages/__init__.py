"""Plain pages for people on call: incidents, comparisons, runs and runbooks. Server-rendered, without scripts."""
