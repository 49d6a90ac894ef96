; A boot sector: shows what is typed, each character as it comes; 13h is a mode with a picture.
        org 0x7c00
        bits 16

start:  mov ah, 0                       ; INT 16h: wait for a key
        int 0x16
        cmp al, 'g'
        je .mode
        mov ah, 0x0e                    ; INT 10h: show the character
        mov bx, 7
        int 0x10
        jmp start
.mode:  mov ax, 0x13
        int 0x10
        jmp start
        times 510-($-$$) db 0
        dw 0xaa55
