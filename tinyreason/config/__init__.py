"""A recipe, its tier and the overrides, resolved to one validated `RunConfig`."""
