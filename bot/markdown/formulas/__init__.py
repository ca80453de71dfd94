"""Formulas: LaTeX as a tree, and that tree in Unicode."""
