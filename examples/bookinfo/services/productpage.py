"""productpage: the front, which asks details and reviews."""
import html

from service import call, serve


def stars(review) -> str:
    rating = review.get("rating", {})
    return f' <span style="color:{rating["color"]}">{"★" * rating["stars"]}</span>' if "stars" in rating else ""


def page(details, reviews) -> str:
    rows = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(str(v))}</dd>" for k, v in details.items())
    texts = "".join(f'<blockquote>{html.escape(r["text"])}<footer>{r["reviewer"]}{stars(r)}</footer></blockquote>'
                    for r in reviews["reviews"])
    return (f'<!doctype html><title>Bookinfo</title><h1>{html.escape(details["title"])}</h1>'
            f'<dl>{rows}</dl><h2>Reviews <small>({reviews["version"]})</small></h2>{texts}')


def routes(path, headers):
    if path == "/health":
        return 200, {"status": "healthy"}
    if path not in ("/productpage", "/api/v1/products/0"):
        return 404, {"error": "not found"}
    details_status, details = call("details", "/details/0", headers)
    reviews_status, reviews = call("reviews", "/reviews/0", headers)
    if details_status != 200 or reviews_status != 200:
        return 503, {"details": details_status, "reviews": reviews_status}
    if path == "/productpage":
        return 200, page(details, reviews)
    return 200, {"details": details, "reviews": reviews}


serve("productpage", routes)
