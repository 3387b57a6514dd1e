"""reviews: v1 without stars, v2 with black ones, v3 with red ones (from ratings)."""
import os

from service import call, serve

VERSION = os.environ.get("VERSION", "v1")
COLOR = {"v2": "black", "v3": "red"}.get(VERSION)
TEXTS = {"Reviewer1": "An extremely entertaining play. The slapstick humour is refreshing!",
         "Reviewer2": "Absolutely fun and entertaining. The play lacks thematic depth, though."}


def routes(path, headers):
    if path == "/health":
        return 200, {"status": "healthy"}
    if not path.startswith("/reviews/"):
        return 404, {"error": "not found"}
    reviews = [{"reviewer": name, "text": text} for name, text in TEXTS.items()]
    if COLOR:
        status, answer = call("ratings", "/ratings/" + path.removeprefix("/reviews/"), headers)
        for review in reviews:
            review["rating"] = ({"stars": answer["ratings"][review["reviewer"]], "color": COLOR}
                                if status == 200 else {"error": f"ratings answered {status}"})
    return 200, {"id": path.removeprefix("/reviews/"), "version": VERSION, "reviews": reviews}


serve(f"reviews {VERSION}", routes)
