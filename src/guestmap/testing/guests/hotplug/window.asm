; A way to physical addresses beyond 4 GiB: PAE paging, and a window that moves.
;
; Linear 0 to 2 MiB is physical, with all of this program in it. Two large pages after that are the
; window: wherever in the first one an address comes to lie, 2 MiB after it are there as well.
; Nothing else is mapped.

PRESENT         equ     1
LARGE_PAGE      equ     0x83            ; present, writable, 2 MiB

; Switches paging on.
window_start:
        push    eax
        mov     dword [page_pointers], page_directory + PRESENT
        mov     dword [page_directory], LARGE_PAGE
        mov     eax, cr4
        or      eax, 1 << 5             ; PAE
        mov     cr4, eax
        mov     eax, page_pointers
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 1 << 31
        mov     cr0, eax
        pop     eax
        ret

; Moves the window to physical address EDX:EAX, and returns where that is, in EDI.
window_to:
        push    eax
        push    edx
        mov     edi, eax
        and     edi, BLOCK - 1
        add     edi, WINDOW
        and     eax, ~(BLOCK - 1)
        or      eax, LARGE_PAGE
        mov     [page_directory + 8], eax
        mov     [page_directory + 12], edx
        add     eax, BLOCK
        adc     edx, 0
        mov     [page_directory + 16], eax
        mov     [page_directory + 20], edx
        invlpg  [WINDOW]
        invlpg  [WINDOW + BLOCK]
        pop     edx
        pop     eax
        ret
