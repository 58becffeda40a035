import os

def f():
    '''Documented.'''
