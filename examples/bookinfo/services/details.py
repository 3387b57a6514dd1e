"""details: facts about a book."""
from service import serve

BOOKS = {"0": {"id": 0, "title": "The Comedy of Errors", "author": "William Shakespeare",
               "year": 1595, "pages": 200, "type": "paperback", "isbn": "1234567890"}}


def routes(path, _headers):
    if path == "/health":
        return 200, {"status": "healthy"}
    book = BOOKS.get(path.removeprefix("/details/"))
    return (200, book) if book else (404, {"error": "no such book"})


serve("details", routes)
