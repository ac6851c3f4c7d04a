"""The API's routes, and the pages of the two apps."""

from django.urls import path
from rest_framework_simplejwt.views import TokenRefreshView

import views

urlpatterns = [
    path("api/token/", views.StaffTokenView.as_view()),
    path("api/token/refresh/", TokenRefreshView.as_view()),
    path("api/orders/", views.orders),
    path("", views.home),
    path("orders", views.page),
]
