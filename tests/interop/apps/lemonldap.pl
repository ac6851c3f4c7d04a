# LemonLDAP::NG's portal as an OpenID provider with users of its demonstration, tokens that live for seconds, and its data in
# a temporary directory.
#
#   perl lemonldap.pl '{ "redirect_uri": …, "post_logout_redirect_uri": …, "frontchannel_logout_uri": …,
#                        "access_token_ttl": SECONDS, "asks_for_consent": BOOLEAN }'
#
# It prints `http://localhost:PORT`. Who asks for the scope `offline_access`, and is not asked for consent, gets a refresh token
# for as long as the user exists; else it ends with the user's session. Beside the provider's own routes:
# GET  /whoami              its userinfo endpoint, after `?wait=MILLISECONDS`
# GET  /control/counts      how many refresh tokens it has accepted and refused, and how many tokens were revoked (none)
# POST /control/address     the user `user` has the address `email`
# POST /control/revoke      it no longer has the refresh token `token`
# POST /control/disable     it no longer knows the user `user`
# POST /control/secret      the client gets another secret, which nobody knows
use strict;
use warnings;

use Crypt::OpenSSL::RSA;
use File::Temp qw(tempdir);
use HTTP::Server::PSGI;
use IO::Socket::INET;
use JSON qw(decode_json encode_json);
use Lemonldap::NG::Portal::Main;
use Lemonldap::NG::Portal::UserDB::Demo;
use Plack::Request;
use Time::HiRes qw(sleep);

# It loads a module for pictures, which no page here shows, and which needs other packages.
package NoPictures {
    use Mouse;
    extends 'Lemonldap::NG::Common::Module';
    sub init { return 1 }
    $INC{'NoPictures.pm'} = 1;
}

$| = 1;
$SIG{TERM} = sub { exit };    # so that the directory is removed
my $options   = decode_json( $ARGV[0] );
my %counts    = ( refreshed => 0, refused => 0, revoked => 0 );
my $directory = tempdir( CLEANUP => 1 );
my $socket    = IO::Socket::INET->new( LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 128, ReuseAddr => 1 )
  or die "it cannot listen: $!";
my $origin = 'http://localhost:' . $socket->sockport;

# Their passwords are their names.
my $accounts = \%Lemonldap::NG::Portal::UserDB::Demo::demoAccounts;
%$accounts = map { $_ => { uid => $_, cn => "$_ of a test", mail => "$_\@example.com" } } qw(ada bob);

my $portal = Lemonldap::NG::Portal::Main->new;
write_configuration();
$portal->init( {
        configStorage => { type => 'File', dirName => "$directory/conf" },
        logger        => 'Lemonldap::NG::Common::Logger::Std',
        userLogger    => 'Lemonldap::NG::Common::Logger::Std',
        logLevel      => 'error',
    }
) or die $portal->error;
my $provider = $portal->run;

print "LemonLDAP::NG at $origin\n";
HTTP::Server::PSGI->new( listen_sock => $socket )->run( \&answer );

sub answer {
    my ($env)   = @_;
    my $request = Plack::Request->new($env);
    my $path    = $request->path;
    my $query   = $request->query_parameters;
    if ( $path eq '/whoami' ) {
        sleep( ( $query->{wait} || 0 ) / 1000 );
        my %changed = ( PATH_INFO => '/oauth2/userinfo', REQUEST_URI => '/oauth2/userinfo', QUERY_STRING => '' );
        return $provider->( { map( { $_ => $env->{$_} } grep { !/^plack\./ } keys %$env ), %changed } );
    }
    if ( $path eq '/control/counts' ) {
        return [ 200, [ 'Content-Type' => 'application/json' ], [ encode_json( \%counts ) ] ];
    }
    if ( $path =~ m{^/control/} ) {
        if    ( $path eq '/control/address' ) { $accounts->{ $query->{user} }{mail} = $query->{email} }
        elsif ( $path eq '/control/revoke' )  { refresh_tokens()->getRefreshToken( $query->{token} )->remove }
        elsif ( $path eq '/control/disable' ) { delete $accounts->{ $query->{user} } }
        elsif ( $path eq '/control/secret' )  { client()->{oidcRPMetaDataOptionsClientSecret} = 'that-nobody-else-knows' }
        else                                  { return [ 404, [], [] ] }
        return [ 204, [], [] ];
    }
    my $refreshes = $path eq '/oauth2/token' && ( $request->body_parameters->{grant_type} || '' ) eq 'refresh_token';
    my $response  = $provider->($env);
    $counts{ $response->[0] == 200 ? 'refreshed' : 'refused' }++ if $refreshes;
    return $response;
}

sub client { return $portal->conf->{oidcRPMetaDataOptions}{vestibule} }

sub refresh_tokens { return $portal->loadedModules->{'Lemonldap::NG::Portal::Issuer::OpenIDConnect'} }

sub write_configuration {
    mkdir "$directory/$_" or die "$_: $!" for qw(conf cache sessions sessions/lock persistent persistent/lock);
    my $key     = Crypt::OpenSSL::RSA->generate_key(2048);
    my $storage = 'Lemonldap::NG::Common::Apache::Session::Generate::SHA256';
    open my $file, '>', "$directory/conf/lmConf-1.json" or die "lmConf-1.json: $!";
    print $file encode_json( {
            authentication                   => 'Demo',
            captcha                          => 'NoPictures',
            cfgDate                          => time,
            cfgNum                           => 1,
            cookieName                       => 'lemonldap',
            demoExportedVars                 => { cn => 'cn', mail => 'mail', uid => 'uid' },
            domain                           => 'localhost',
            globalStorage                    => 'Apache::Session::File',
            globalStorageOptions             => directories( 'sessions', $storage ),
            issuerDBOpenIDConnectActivation  => 1,
            localSessionStorage              => 'Cache::FileCache',
            localSessionStorageOptions       => { cache_root => "$directory/cache", namespace => 'sessions' },
            locationRules                    => { localhost => { default => 'accept' } },
            loginHistoryEnabled              => 0,
            oidcRPMetaDataExportedVars       => { vestibule => { email => 'mail', name => 'cn', sid => 'uid' } },
            oidcRPMetaDataOptions            => { vestibule => registered() },
            oidcRPMetaDataOptionsExtraClaims => { vestibule => { profile => 'sid' } },
            oidcServicePrivateKeySig         => $key->get_private_key_string,
            oidcServicePublicKeySig          => $key->get_public_key_x509_string,
            oidcServiceKeyIdSig              => 'of-a-test',
            passwordDB                       => 'Null',
            persistentStorage                => 'Apache::Session::File',
            persistentStorageOptions         => directories('persistent'),
            portal                           => "$origin/",
            registerDB                       => 'Null',
            securedCookie                    => 0,
            userDB                           => 'Same',
            whatToTrace                      => 'uid',
        }
    );
    close $file or die "lmConf-1.json: $!";
}

sub directories {
    my ( $name, $generate ) = @_;
    my %used = ( Directory => "$directory/$name", LockDirectory => "$directory/$name/lock" );
    $used{generateModule} = $generate if $generate;
    return \%used;
}

# What it knows of the client. The claim `sid` is the user's id: by that its front-channel logout names a session.
sub registered {
    return {
        oidcRPMetaDataOptionsAccessTokenExpiration  => $options->{access_token_ttl},
        oidcRPMetaDataOptionsAllowOffline           => 1,
        oidcRPMetaDataOptionsBypassConsent          => $options->{asks_for_consent} ? 0 : 1,
        oidcRPMetaDataOptionsClientID               => 'vestibule',
        oidcRPMetaDataOptionsClientSecret           => 'of-a-test-and-of-nothing-else',
        oidcRPMetaDataOptionsDisplayName            => 'Vestibule',
        oidcRPMetaDataOptionsIDTokenForceClaims     => 1,
        oidcRPMetaDataOptionsIDTokenSignAlg         => 'RS256',
        oidcRPMetaDataOptionsLogoutBypassConfirm    => 1,
        oidcRPMetaDataOptionsLogoutSessionRequired  => 1,
        oidcRPMetaDataOptionsLogoutType             => 'front',
        oidcRPMetaDataOptionsLogoutUrl              => $options->{frontchannel_logout_uri},
        oidcRPMetaDataOptionsPostLogoutRedirectUris => $options->{post_logout_redirect_uri},
        oidcRPMetaDataOptionsRedirectUris           => $options->{redirect_uri},
        oidcRPMetaDataOptionsRefreshToken           => 1,
        oidcRPMetaDataOptionsRequirePKCE            => 1,
    };
}
