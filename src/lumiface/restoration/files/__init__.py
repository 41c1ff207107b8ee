"""The files of a batch: which are pictures, what their results are called, and the results themselves."""
