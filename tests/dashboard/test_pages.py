def test_pages(filled, sign_in):
    c = sign_in("viewer")
    for path in [
        "/",
        "/traces",
        "/traces?verdict=block",
        "/sessions",
        "/account",
        "/healthz",
        "/activity",
        "/activity?state=review",
        "/policies",
        "/policies/packs",
        "/policies/edit",
        "/policies/history",
        "/policies/playground",
        "/policies/replay",
    ]:
        r = c.get(path)
        assert r.status_code == 200, (path, r.text[:3000])
    tid = filled.search().items[0].id
    r = c.get("/traces/" + tid)
    assert r.status_code == 200
    s = filled.sessions().items[0].id
    assert c.get("/sessions/thread", params={"id": s}).status_code == 200
