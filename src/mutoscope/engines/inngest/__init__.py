"""The distributed engine: Inngest runs the steps, ours are the rows, the admission and the money.

``relay`` sends what is to be run, ``functions`` says how a run goes, ``worker`` does one step.
"""
