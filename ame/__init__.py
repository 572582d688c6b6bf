"""AME: Attribution, Mapping, Execution for generative-AI revenue."""

__version__ = "0.1.0"
