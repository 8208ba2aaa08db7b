"""InfraPrism server: what each customer, team, project and employee costs in LLM spend."""

from importlib.metadata import version

__version__ = version("infraprism-server")
