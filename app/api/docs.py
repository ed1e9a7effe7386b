"""The docs page: Swagger UI from the installed package, reading `/openapi.json`, with no request to anywhere else.

The page is ours and not the package's own, because that one starts with a script inside the page: the policy below
lets the browser run files of this server and nothing else.
"""

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, send_from_directory

ASSETS = Path(flask_swagger_ui.__file__).with_name("dist")
NAMES = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI sets styles inside the page and draws its icons from `data:` URLs."""
PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Build Server API</title>
  <link rel="stylesheet" href="/docs/swagger-ui.css">
  <link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
  <div id="page"></div>
  <script src="/docs/swagger-ui-bundle.js"></script>
  <script src="/docs/start.js"></script>
</body>
</html>
"""
START = """\
// validatorUrl: Swagger UI would otherwise have the document judged by a server on the internet.
SwaggerUIBundle({ url: "/openapi.json", dom_id: "#page", deepLinking: true, validatorUrl: null });
"""

blueprint = Blueprint("docs", __name__, url_prefix="/docs")


@blueprint.get("/")
def page() -> Response:
    return Response(PAGE, mimetype="text/html")


@blueprint.get("/start.js")
def start() -> Response:
    return Response(START, mimetype="text/javascript")


@blueprint.get(f"/<any({', '.join(repr(name) for name in NAMES)}):name>")
def asset(name: str) -> Response:
    return send_from_directory(ASSETS, name)


@blueprint.after_request
def confine(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    return response
