"""WeChat's protocol: parses pushes, builds replies, calls the API. Other packages do not depend on its formats."""
