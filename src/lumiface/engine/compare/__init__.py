"""Tables of methods at equal budgets: train what is missing, evaluate all, report."""
