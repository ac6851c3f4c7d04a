# In Django: the apps' origins are other ones (django-cors-headers).
INSTALLED_APPS += ["corsheaders"]
MIDDLEWARE.insert(0, "corsheaders.middleware.CorsMiddleware")
CORS_ALLOWED_ORIGINS = ["https://app.example.com", "https://admin.example.com"]
