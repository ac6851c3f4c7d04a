<?php
// A front controller, as most frameworks write it: the path behind the script, or the whole of it.

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) ?: '/';
$script = '/index.php';
if (stripos($path, $script) === 0) {
    $path = substr($path, strlen($script));
}
$path = '/' . trim(rawurldecode($path), '/');

switch ($path) {
    case '/':
    case '/about':
        echo 'public page';
        break;
    case '/admin':
    case '/admin/users':
        echo 'guarded page';
        break;
    default:
        http_response_code(404);
        echo 'no such page';
}
