"""Estimators: networks behind the interface of scikit-learn, which is imported here only."""
