from flask import Flask, g
from requires_session import requires_session

app = Flask(__name__)


@app.get("/livez")
def livez():
    return {"code": 200, "msg": "ok"}


@app.get("/videos/mine")
@requires_session
def my_videos():
    return {"code": 200, "msg": "ok", "data": {"user_id": g.user_id, "videos": []}}


if __name__ == "__main__":
    app.run(port=4000)
