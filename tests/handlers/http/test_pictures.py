"""Pictures of codes. Red when a page of another site may not show one, or a browser saves what it should show."""

from harness import World


async def test_a_picture_is_shown_by_other_sites_and_saved_on_demand(world: World) -> None:
    made = (await world.login()).made
    for path, query, saved in (
        (made["qr_png"], "", None),
        (made["qr_png"], "?download=1", 'attachment; filename="wechat.png"'),
        (made["qr_png"], "?download=2", None),
        (made["qr_svg"], "?download=1", None),
    ):
        response = await world.call("GET", path + query)
        assert response.status == 200
        assert response.headers.get("Content-Disposition") == saved
        assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert "no-transform" in response.headers["Cache-Control"]
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
