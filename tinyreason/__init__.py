"""One command from a recipe's name to a trained adapter whose gain is proven."""
