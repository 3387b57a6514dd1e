"""What the end-to-end tests share: processes, ports, meshes, HTTP peers. Nothing here waits for luck:
every wait is for a condition and has a deadline."""
