"""The strength of a mutation: milder, stronger, or as strong as its effect is to be."""
