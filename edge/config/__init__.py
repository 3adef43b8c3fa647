"""The device's configuration: TOML files, then environment, then flags; the last word wins.

    /etc/sorter/sorter.toml        the main file
    /etc/sorter/conf.d/*.toml      beside it, in the order of their names
    SORTER__MQTT__HOST=broker      environment: section and key, joined by two underscores
    --set mqtt.host=broker         flags

Unknown keys are errors, and every problem is named at once, with the place it came from.
"""

from edge.config.layers import check, find_config, load_config, with_choices, with_site
from edge.config.sections import Config

__all__ = ["Config", "check", "find_config", "load_config", "with_choices", "with_site"]
