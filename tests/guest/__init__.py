"""Tests on a kernel of their own, in a virtual machine: a V4L2 camera, GPIO lines, and a plug that can be pulled.

python3 -m tests.guest.build /var/tmp/sorter-guest        # once, as root
pytest tests/guest --guest /var/tmp/sorter-guest
"""
