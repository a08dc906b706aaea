URL = "/api/v1/chat/completions"


def test_chat_completion(client):
    response = client.post(URL, json={"messages": [{"role": "user", "content": "Hi"}]})
    assert response.status_code == 200
    assert response.json()["content"] == "Hello from the fake"
    assert response.json()["model"] == "gpt-4o-mini"


def test_chat_completion_with_model(client):
    response = client.post(
        URL, json={"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
    )
    assert response.json()["model"] == "gpt-4o"


def test_empty_messages(client):
    assert client.post(URL, json={"messages": []}).status_code == 422


def test_invalid_role(client):
    response = client.post(URL, json={"messages": [{"role": "robot", "content": "Hi"}]})
    assert response.status_code == 422


def test_health(client):
    response = client.get("/health")
    assert response.status_code == 200
    assert response.json()["status"] == "ok"


def test_health_provider_down(client, provider):
    provider.healthy = False
    assert client.get("/health").status_code == 503
