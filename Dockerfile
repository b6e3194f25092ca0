# Written by "latido generate stack" from the domain file of tienda, examples/echo-api/domain.yaml.
# Change that file, not this one, and write this one again.
# A static binary that runs as nobody, and needs no disk that it may write to
# but /tmp. MAIN is the folder of the main package. What go.mod replaces by a
# folder elsewhere is brought along by: go mod vendor
FROM golang:1.26-alpine AS build
WORKDIR /src
COPY . .
ARG MAIN=.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /service "$MAIN"

# wget of its busybox is what asks for the health.
FROM alpine:3.22
COPY --from=build /service /service
USER 65532:65532
EXPOSE 8080 9464
ENTRYPOINT ["/service"]
