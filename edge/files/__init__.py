"""What lies on a disk, safely: files whole or not at all, databases, pictures, and where they are kept."""
