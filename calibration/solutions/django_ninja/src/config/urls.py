from django.urls import path

from llm.api import api

urlpatterns = [path("", api.urls)]

handler400 = "llm.errors.bad_request"
handler404 = "llm.errors.not_found"
handler500 = "llm.errors.server_error"
