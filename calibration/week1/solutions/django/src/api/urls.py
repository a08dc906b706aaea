from django.urls import path

from src.api import views

urlpatterns = [
    path("api/v1/chat/completions", views.chat),
    path("api/v1/models/select", views.select),
    path("health", views.health),
]
