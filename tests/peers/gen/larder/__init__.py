__all__ = ['ttypes', 'constants', 'Invalidation']
