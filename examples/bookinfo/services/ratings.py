"""ratings: how many stars each reviewer gave."""
from service import serve


def routes(path, _headers):
    if path == "/health":
        return 200, {"status": "healthy"}
    if path.startswith("/ratings/"):
        return 200, {"id": path.removeprefix("/ratings/"), "ratings": {"Reviewer1": 5, "Reviewer2": 4}}
    return 404, {"error": "not found"}


serve("ratings", routes)
