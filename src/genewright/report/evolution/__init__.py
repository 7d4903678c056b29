"""A run of evolution as one page of HTML: what became of the generations, and how the champion came about."""
