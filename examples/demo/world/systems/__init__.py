"""The four systems by name."""

from examples.demo.world.systems.billing import Billing
from examples.demo.world.systems.cluster import Cluster
from examples.demo.world.systems.contract import System
from examples.demo.world.systems.directory import Directory
from examples.demo.world.systems.mail import Mail

SYSTEMS: dict[str, type[System]] = {
    "directory": Directory,
    "billing": Billing,
    "mail": Mail,
    "cluster": Cluster,
}
